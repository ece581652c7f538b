"""Three looks: light for a bright office, dark, and one of high contrast that uses black, white and bold."""

from __future__ import annotations

from textual.theme import Theme

LIGHT = Theme(
    name="stager-light",
    dark=False,
    primary="#1f5a8a",
    secondary="#4a6572",
    accent="#7a4b00",
    success="#1d6b34",
    warning="#8a5300",
    error="#a11722",
    foreground="#1b1f23",
    background="#fbfbf8",
    surface="#f1f1ec",
    panel="#e4e6e4",
    variables={"footer-key-foreground": "#1f5a8a", "block-cursor-background": "#1f5a8a"},
)

DARK = Theme(
    name="stager-dark",
    dark=True,
    primary="#7fb4dd",
    secondary="#93a7b3",
    accent="#e3b565",
    success="#7cc492",
    warning="#e3b565",
    error="#f08a8f",
    foreground="#e3e6e8",
    background="#14181b",
    surface="#1c2226",
    panel="#283036",
    variables={"footer-key-foreground": "#7fb4dd"},
)

CONTRAST = Theme(
    name="stager-contrast",
    dark=True,
    primary="#ffffff",
    secondary="#ffffff",
    accent="#ffff00",
    success="#00ff66",
    warning="#ffff00",
    error="#ff9999",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
    luminosity_spread=0.3,
    text_alpha=1.0,
    variables={
        "footer-key-foreground": "#ffff00",
        "block-cursor-background": "#ffff00",
        "block-cursor-foreground": "#000000",
        "border": "#ffffff",
    },
)

THEMES = (DARK, LIGHT, CONTRAST)
"""The first is what a person sees who never chose."""
