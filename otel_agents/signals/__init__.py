"""One fact, told four ways: spans, metrics, logs, feed; a signal must not know another."""
