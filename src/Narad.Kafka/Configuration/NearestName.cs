namespace Narad.Kafka.Configuration;

/// <summary>Finds what somebody meant to write.</summary>
internal static class NearestName
{
    /// <summary>The known name that at most a third of the letters make different; null where none is that near.</summary>
    public static string? To(string written, IEnumerable<string> known)
    {
        var nearest = known.Select(name => (Name: name, Distance: Distance(written, name))).MinBy(candidate => candidate.Distance);
        return nearest.Name is not null && nearest.Distance <= Math.Max(1, written.Length / 3) ? nearest.Name : null;
    }

    // Levenshtein's, without regard to case.
    private static int Distance(string left, string right)
    {
        var row = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 1; i <= left.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var substitution = diagonal + (char.ToUpperInvariant(left[i - 1]) == char.ToUpperInvariant(right[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[^1];
    }
}
