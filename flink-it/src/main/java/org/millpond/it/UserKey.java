package org.millpond.it;

import java.util.Objects;

/** A POJO as a key: its hash decides the key group, so Rust has to agree with hashCode. */
public class UserKey {
    public String name;
    public int region;

    public UserKey() {}

    public UserKey(String name, int region) {
        this.name = name;
        this.region = region;
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, region);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof UserKey that && region == that.region && Objects.equals(name, that.name);
    }
}
