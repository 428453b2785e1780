"""Drawing: pictures of computational graphs, as SVG, PNG, PDF or Graphviz's DOT."""
