"""What can be asked: Strawberry types made from the catalogue, edges listed one a line."""
