namespace Narad.Kafka.Benchmarks;

/// <summary>One line of work and those who do it: the first is the library, the others are what it is compared with.</summary>
/// <param name="Name">By which it is asked for.</param>
/// <param name="Work">What is measured.</param>
/// <param name="Unit">Of the values.</param>
/// <param name="Candidates">The library first.</param>
/// <param name="Targets">What the design asks of it.</param>
internal sealed record Row(string Name, string Work, string Unit, IReadOnlyList<Candidate> Candidates, IReadOnlyList<Target> Targets)
{
    /// <summary>
    /// Lets all of them run once unmeasured, then in interleaved rounds, each round beginning with another one: whatever the machine does
    /// meanwhile, it does to all of them.
    /// </summary>
    public async Task<RowResult> MeasureAsync(int rounds)
    {
        foreach (var candidate in Candidates)
        {
            await candidate.RunAsync();
        }

        var samples = Candidates.Select(_ => new List<Sample>()).ToArray();
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < Candidates.Count; i++)
            {
                var turn = (round + i) % Candidates.Count;
                GC.Collect();
                GC.WaitForPendingFinalizers();
                samples[turn].Add(await Candidates[turn].RunAsync());
            }
        }

        EntryResult[] entries = [.. Candidates.Select((candidate, i) => Entry(candidate.Name, samples[i], samples[0]))];
        return new RowResult(Name, Work, Unit, entries, [.. Targets.Select(target => target.Evaluate(entries))]);
    }

    // The ratio of one round's two values is what a noisy machine falsifies least, so it is the ratios whose median is taken.
    private static EntryResult Entry(string name, List<Sample> samples, List<Sample> ours)
    {
        var values = samples.ConvertAll(sample => sample.Value);
        var ratios = ReferenceEquals(samples, ours) ? [] : samples.Select((sample, i) => ours[i].Value / sample.Value).ToList();
        var bytes = samples.Select(sample => sample.BytesPerMessage).OfType<double>().ToList();
        var processor = samples.Select(sample => sample.MicrosecondsPerMessage).OfType<double>().ToList();
        return new EntryResult(
            name,
            Median(values),
            values.Min(),
            values.Max(),
            bytes.Count == 0 ? null : Median(bytes),
            processor.Count == 0 ? null : Median(processor),
            ratios.Count == 0 ? null : Median(ratios),
            ratios.Count == 0 ? null : ratios.Min(),
            ratios.Count == 0 ? null : ratios.Max());
    }

    internal static double Median(List<double> values)
    {
        var sorted = values.Order().ToList();
        var middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
