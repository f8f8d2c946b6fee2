package io.vineyard;

import java.time.Instant;

/**
 * One daemon of the cluster, with its memory.
 *
 * @param number its number in the cluster
 * @param isLost whether its daemon has been away for longer than a restart takes
 * @param since when it became so; null: not known
 * @param memoryLimit bytes
 * @param epoch moves with every start of its daemon
 * @param uid of its daemon's user
 * @param host of its daemon
 * @param socket of its daemon, on that host
 * @param endpoint where other hosts reach it; empty: nowhere
 */
public record Instance(long number, boolean isLost, Instant since, long memoryLimit, long epoch, long uid, String host,
    String socket, String endpoint) {}
