import java.util.concurrent.CountDownLatch;

/**
 * Says how many events are done, on one stream thread; others may wait for the last.
 *
 * <p>Where events pass two stages with a queue between them, one far ahead of the other, the mean of
 * both is what the CPU so far has paid for.
 */
final class Progress {
  private static final long EVERY = 10_000;

  private final int stages;
  private final long last;
  private final CountDownLatch left = new CountDownLatch(1);
  private long steps;

  Progress(long events, int stages) {
    this.stages = stages;
    this.last = events * stages;
  }

  /** One event has passed one stage. */
  void add() {
    steps++;
    if (steps % (EVERY * stages) == 0 || steps == last) {
      System.out.println("progress " + steps / stages);
    }
    if (steps == last) {
      left.countDown();
    }
  }

  void await() throws InterruptedException {
    left.await();
  }
}
