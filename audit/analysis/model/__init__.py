"""What the analysis says, as plain values, by what they are about; reports print these as they are."""
