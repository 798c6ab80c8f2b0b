"""An audit of what a trained model gives away of its training examples: membership inference, an attack a function."""
