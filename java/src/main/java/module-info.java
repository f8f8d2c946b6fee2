/** The Java client of Vineyard, an in-memory store of immutable objects. */
module io.vineyard {
  requires static org.slf4j;  // without it nothing is said

  exports io.vineyard;
}
