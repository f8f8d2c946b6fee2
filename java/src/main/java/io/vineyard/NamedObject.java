package io.vineyard;

/**
 * A name and what it is given to.
 *
 * @param name one to 1,024 bytes of UTF-8
 * @param id of the object
 * @param revision moves with each change of the name, and when its object is persisted, which makes the name the cluster's;
 *     for compare and set
 */
public record NamedObject(String name, ObjectId id, long revision) {}
