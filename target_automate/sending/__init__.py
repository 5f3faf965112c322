"""One write on its way: sent, judged, settled."""
