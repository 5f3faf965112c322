"""What our Singer targets share: their input, its errors, and the seams to the SDK's `Target`."""
