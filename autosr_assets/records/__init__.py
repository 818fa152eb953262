"""Records of runs: the manifest, the replay script, the settings in them, and the comparison of runs."""
