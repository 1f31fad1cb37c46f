package org.millpond.it;

/** An enum inside a POJO: Flink's EnumSerializer. */
public enum Level {
    LOW,
    MIDDLE,
    HIGH
}
