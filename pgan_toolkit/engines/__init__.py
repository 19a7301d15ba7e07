"""An ordered map over many items with bounded work in flight."""
