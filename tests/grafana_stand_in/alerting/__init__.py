"""Rules, contact points, policies, templates, mute timings, and the embedded Alertmanager."""
