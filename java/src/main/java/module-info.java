/** The Java client of Vineyard, an in-memory store of immutable objects. */
module io.vineyard {
  requires org.slf4j;

  exports io.vineyard;
}
