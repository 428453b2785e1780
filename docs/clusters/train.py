"""Train a network on the handwritten digits; started again, go on from the newest checkpoint."""

import argparse
import os

import chainrule as cr


def main() -> None:
    """Train as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="where the checkpoints and the model go")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--ranks",
        action="store_true",
        help="divide each batch among the processes that srun or mpiexec has started",
    )
    given = parser.parse_args()

    communicator = cr.MPICommunicator() if given.ranks else None
    x, t = cr.datasets.digits()
    layers = cr.Affine.sized(64, 100), cr.ReLU(), cr.Dropout(0.2), cr.Affine.sized(100, 10)
    network = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=given.seed)
    trainer = cr.Trainer(network, cr.Adam(0.001), seed=given.seed, communicator=communicator)
    trainer.resume(given.folder, missing_ok=True)  # the first time there is nothing to go on from
    trainer.fit(x, t, given.epochs, batch_size=100, validation=0.2, checkpoint=given.folder)
    if communicator is None or communicator.rank == 0:
        cr.save_model(os.path.join(given.folder, "model.safetensors"), network, overwrite=True)


if __name__ == "__main__":
    main()
