package io.vineyard;

/**
 * A name and what it is given to.
 *
 * @param name one to 1,024 bytes of UTF-8
 * @param id of the object
 * @param revision moves with each change of the name; for compare and set
 */
public record NamedObject(String name, ObjectId id, long revision) {}
