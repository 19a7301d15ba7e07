"""CelebA-HQ: landmarks, geometry, the per-photograph recipe, quality, the ledger, the build."""
