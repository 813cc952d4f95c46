"""What the observations mean: plan, engine, ledger, safety and analysis. `audit.cli` joins the parts."""
