"""Words: what stands in pictures and reports, in English and in Chinese."""

from __future__ import annotations

import re

__all__ = ["WORDS", "say"]

#: A number of things in the words, which is told without the s if it is one.
_COUNTED = re.compile(r"(\{(\w+)\} (?:core|epoch|node|row|step))s\b")

#: The English words are the keys; {…} is filled in by `say`.
WORDS = {
    # graphs
    "value": "值",
    "computational graph": "计算图",
    "{n} nodes": "{n} 个节点",
    "… and {n} more": "……另有 {n} 项",
    "fold the layers": "折叠各层",
    "unfold the layers": "展开各层",
    "checked: right": "检验：正确",
    "checked: WRONG": "检验：错误",
    "checked: right, at a kink": "检验：正确，位于折点",
    "not checked: not finite": "未检验：数值不是有限数",
    # formulas
    "repeated to": "重复为",
    "repeated": "重复",
    "over the copies": "对各份副本求和",
    "over all axes": "对所有轴",
    "over axis": "沿轴",
    "over axes": "沿各轴",
    "reshaped to": "变形为",
    "reshaped back": "变回原形",
    "transposed": "转置",
    "transposed back": "转置回去",
    "where": "当",
    "else": "否则",
    "at the class": "在类别",
    "joined along": "拼接",
    "as": "转为",
    # tables
    "(missing)": "（缺失）",
    # curves
    "epoch": "轮次",
    "epochs": "训练轮数",
    "loss": "损失",
    "each step": "每一步",
    "training": "训练",
    "held out": "留出数据",
    "held-out {name}": "留出数据{name}",
    "accuracy": "正确率",
    "R²": "R²",
    "RMSE": "RMSE",
    "MAE": "MAE",
    "step": "步数",
    # regions
    "output; the samples: target": "输出；样本点：目标值",
    # histograms
    "activation": "激活值",
    "|gradient|": "|梯度|",
    "dead": "失活",
    "saturated": "饱和",
    "zero": "为零",
    # surface and race
    "first direction": "第一方向",
    "second direction": "第二方向",
    "{which} ({part} of the path)": "{which}（占路径的 {part}）",
    "start": "起点",
    "log₁₀ loss": "log₁₀ 损失",
    "diverged": "发散",
    # features
    "the {count} of {total} units with the largest weights": "权重最大的 {count} 个单元（共 {total} 个）",
    "weight in {name}": "{name} 的权重",
    "unit": "单元",
    "input": "输入",
    # confusion matrix and residuals
    "what was said": "预测的类别",
    "what it is": "真实的类别",
    "true": "真实值",
    "said": "预测值",
    "said − true": "预测值 − 真实值",
    "rows": "行数",
    # report
    "{target}, learned from {name}": "从 {name} 学习预测 {target}",
    "A report of chainrule {version}.": "由 chainrule {version} 生成的报告。",
    "Training ended early: {why}.": "训练提前结束：{why}。",
    "rows trained on": "训练行数",
    "for {epochs} epochs": "共 {epochs} 轮",
    "for {epochs} epochs, with compiling": "共 {epochs} 轮，含编译",
    "parameters": "参数",
    "Data": "数据",
    "data": "数据",
    "columns": "列数",
    "target": "目标列",
    "classes": "类别数",
    "trained on": "训练",
    "inputs": "输入数",
    "What was prepared": "数据准备",
    "Network": "网络",
    "layer": "层",
    "output": "输出",
    "count": "个数",
    "Training": "训练过程",
    "{optimizer}, learning rate {lr}, {epochs} epochs of {steps} steps with {batch} rows each.": (
        "{optimizer}，学习率 {lr}，{epochs} 轮，每轮 {steps} 步，每步 {batch} 行。"
    ),
    "On the {count} rows held out": "在 {count} 行留出数据上",
    "On the {count} rows trained on": "在 {count} 行训练数据上",
    "To compare: {linear} by a linear model, {constant} by the same answer for every row.": (
        "对比：线性模型为 {linear}，对每一行都给同一答案为 {constant}。"
    ),
    "No rows were held out, so this says little about new ones.": (
        "没有留出数据，因此这些数字说明不了模型在新数据上的好坏。"
    ),
    "{right} of {count} answers are right: {part}.": "{count} 个回答中 {right} 个正确：{part}。",
    "confusion matrix": "混淆矩阵",
    "residuals": "残差",
    "found (recall)": "找到的比例（召回率）",
    "right when said (precision)": "预测正确的比例（精确率）",
    "The hardest rows": "最难的行",
    "The rows whose true class the network thought least probable.": (
        "网络认为真实类别概率最低的那些行。"
    ),
    "The rows with the largest errors.": "误差最大的那些行。",
    "row": "行",
    "it is": "真实",
    "probability": "概率",
    " in units of {target}": "（单位同 {target}）",
    "What the first layer looks for": "第一层在寻找什么",
    "A bright weight makes the unit larger where its input is large, a dark one smaller.": (
        "亮的权重：输入越大，单元的值越大；暗的权重则相反。"
    ),
    "The plane as the network sees it": "网络眼中的平面",
    "{name}, standardised": "{name}（标准化）",
    "Gradient check": "梯度检验",
    "Left out: the network is large.": "网络较大，略去。",
    "The gradients by the chain rule, on {count} rows, against a complex step along a random direction"
    " (central differences for layers written by hand).": (
        "在 {count} 行数据上，将链式法则求得的梯度与沿随机方向的复步微分相比较（手写的层用中心差分）。"
    ),
    "All {count} gradients agree.": "{count} 个梯度全部一致。",
    "{wrong} of {count} gradients disagree.": "{count} 个梯度中有 {wrong} 个不一致。",
    "gradient": "梯度",
    "shape": "形状",
    "error": "误差",
    "allowed": "允许误差",
    "verdict": "结论",
    "ok": "一致",
    "ok, at a kink": "一致（在折点处）",
    "WRONG": "错误",
    "Time": "用时",
    "in all": "总计",
    "{seconds} s, with compiling": "{seconds} 秒，含编译",
    "{seconds} s": "{seconds} 秒",
    "in the epochs": "各轮之和",
    "samples per second": "每秒样本数",
    "engine": "引擎",
    "threads": "线程数",
    "machine": "机器",
    "{what} ({why})": "{what}（{why}）",
    "{count} cores": "{count} 核",
    "To do it again": "如何重现",
    "seed": "随机种子",
    "versions": "版本",
    "fingerprint of the table": "数据表指纹",
    "sha256 of the file": "文件的 sha256",
    "The same version, machine, engine, threads and seed give the same bits.": (
        "版本、机器、引擎、线程数和随机种子都相同，结果逐位相同。"
    ),
}


def say(text: str, lang: str = "en", **values: object) -> str:
    """The words for an English text in a language, with the values filled in.

    >>> say("epoch", "zh"), say("held-out {name}", name="of 1 steps"), say("{n} nodes", n=1)
    ('轮次', 'held-out of 1 steps', '1 node')
    """
    words = WORDS[text] if lang == "zh" else text
    if not values:
        return words
    return _COUNTED.sub(lambda n: n[1] if str(values[n[2]]) == "1" else n[0], words).format(
        **values
    )
