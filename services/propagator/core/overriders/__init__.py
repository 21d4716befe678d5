"""What each overrider does to a manifest. All change it in place or raise `NotApplicable`."""
