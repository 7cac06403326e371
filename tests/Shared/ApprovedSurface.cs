using System.Reflection;

namespace Narad.Kafka.Shared;

/// <summary>Compares a package's public surface with the text that was approved for it, <c>PublicApi/{Package}.txt</c>.</summary>
internal static class ApprovedSurface
{
    /// <summary>With <c>NARAD_TEST_APPROVE_API=1</c> (<c>eng/approve-api.sh</c>) writes the text instead.</summary>
    public static void Verify(Assembly assembly)
    {
        var file = Path.Combine(RepositoryFolder.Root, "PublicApi", assembly.GetName().Name + ".txt");
        var actual = PublicSurface.Describe(assembly);
        if (string.Equals(Environment.GetEnvironmentVariable("NARAD_TEST_APPROVE_API"), "1", StringComparison.Ordinal))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, actual);
            return;
        }

        var approved = File.Exists(file) ? File.ReadAllText(file).ReplaceLineEndings("\n") : "";
        if (!string.Equals(actual, approved, StringComparison.Ordinal))
        {
            var gone = Qualified(approved).Except(Qualified(actual), StringComparer.Ordinal).Select(line => "- " + line);
            var added = Qualified(actual).Except(Qualified(approved), StringComparer.Ordinal).Select(line => "+ " + line);
            Assert.Fail($"The public surface is not the approved one, {file}:\n{string.Join('\n', gone.Concat(added))}\nIf that is meant, run eng/approve-api.sh, read its diff and commit it.");
        }
    }

    // A member's line alone does not say whose it is.
    private static IEnumerable<string> Qualified(string text)
    {
        var type = "";
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith(' '))
            {
                yield return $"{type}: {line.Trim()}";
            }
            else
            {
                type = line.Split(" : ")[0];
                yield return line;
            }
        }
    }
}
