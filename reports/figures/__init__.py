"""Charts as SVG, all drawn by one grammar of scale, ticks and marks."""
