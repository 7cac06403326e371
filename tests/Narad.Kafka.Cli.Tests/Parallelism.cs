// Each of these tests starts processes and nearly all of the time waits for them.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]
[assembly: TestFramework("Narad.Kafka.Shared.MethodsInParallel", "Narad.Kafka.Cli.Tests")]
