"""The screens: one file each, from the home screen to the published result."""
