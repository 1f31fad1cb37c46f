package org.millpond.it;

/** Writes the few shapes of JSON that a dump has. */
final class Json {
    private final StringBuilder text = new StringBuilder("{");

    Json with(String name, Object value) {
        if (text.length() > 1) {
            text.append(',');
        }
        quote(name);
        text.append(':');
        if (value == null || value instanceof Number || value instanceof Boolean) {
            text.append(value);
        } else if (value instanceof Json json) {
            text.append(json);
        } else {
            quote(value.toString());
        }
        return this;
    }

    private void quote(String s) {
        text.append('"').append(s.replace("\\", "\\\\").replace("\"", "\\\"")).append('"');
    }

    @Override
    public String toString() {
        return text + "}";
    }
}
