"""Host code made observable: rows that say where, one path for all call shapes, exact undo; knows no signal."""
