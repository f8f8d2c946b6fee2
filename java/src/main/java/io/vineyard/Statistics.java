package io.vineyard;

/**
 * What a client has done so far.
 *
 * @param requests exchanges with the daemon
 * @param copiedPayloadBytes payload bytes that this client copied, in and out
 * @param reconnects connections made again
 */
public record Statistics(long requests, long copiedPayloadBytes, long reconnects) {}
