"""What our Singer taps and targets share: command line, input, output, and seams to the SDK."""
