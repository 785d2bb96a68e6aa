"""Going on with a training that broke off."""
