package org.millpond.it;

/** A POJO as a value. Its fields are not declared in the order in which they are stored. */
public class UserInfo {
    public String name;
    public int age;
    public double score;
    public boolean active;
    /** Null for some users. */
    public Long visits;
    public Level level;

    public UserInfo() {}
}
