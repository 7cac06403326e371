// Nearly all of these tests wait for a broker nearly all of the time, so more of them run at once than there are processors.
[assembly: CollectionBehavior(MaxParallelThreads = 10)]
[assembly: TestFramework("Narad.Kafka.Shared.MethodsInParallel", "Narad.Kafka.Tests")]
[assembly: TestCollectionOrderer("Narad.Kafka.Shared.LongTestsFirst", "Narad.Kafka.Tests")]
