package org.millpond.bench;

/**
 * The generator of Millpond's benches (SplitMix64), so that both sides visit the same keys in the same order and store the same
 * values.
 */
final class BenchRandom {
  private long state;

  BenchRandom(long seed) {
    state = seed;
  }

  long nextLong() {
    state += 0x9e3779b97f4a7c15L;
    long z = state;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }

  /** A number in 0..bound: the upper half of the unsigned product with a draw. */
  int below(int bound) {
    long draw = nextLong();
    // multiplyHigh is signed; a draw with its top bit set counts as 2^64 less than it is.
    return (int) (Math.multiplyHigh(draw, bound) + ((draw >> 63) & bound));
  }

  /** The keys from {@code first} on, in the order in which the benches visit them. */
  long[] shuffled(long first, int count) {
    long[] keys = new long[count];
    for (int i = 0; i < count; i++) {
      keys[i] = first + i;
    }
    for (int i = count - 1; i > 0; i--) {
      int j = below(i + 1);
      long key = keys[i];
      keys[i] = keys[j];
      keys[j] = key;
    }
    return keys;
  }

  /** The finalizer of MurmurHash3: the keyed count's records. */
  static long mix(long x) {
    x ^= x >>> 33;
    x *= 0xff51afd7ed558ccdL;
    x ^= x >>> 33;
    x *= 0xc4ceb9fe1a85ec53L;
    return x ^ (x >>> 33);
  }
}
