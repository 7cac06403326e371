// Most of a test is waiting: for processes, brokers, and times to pass.
[assembly: CollectionBehavior(MaxParallelThreads = 4)]
[assembly: TestFramework("Narad.Kafka.Shared.MethodsInParallel", "Narad.Samples.Tests")]
