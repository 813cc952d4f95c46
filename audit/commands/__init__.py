"""What the command line joins: reports, engine, analysis and practice vendor, one module for each kind of command."""
