// Some of these tests set variables of the process.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
