// Most of each test is waiting.
[assembly: CollectionBehavior(MaxParallelThreads = 8)]
[assembly: TestFramework("Narad.Kafka.Shared.MethodsInParallel", "Narad.Kafka.SchemaRegistry.Tests")]
