"""What a process lets others see over HTTP: events, progress, metrics, health, profile; must not know who patched."""
