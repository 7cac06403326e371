using Narad.Kafka.Shared;

namespace Narad.Samples.Tests;

/// <summary>
/// The samples as they were built for themselves: the assemblies beside the tests are those of the web framework, which most samples do without.
/// </summary>
internal static class SampleOutput
{
    /// <summary>The path of a sample's program.</summary>
    /// <param name="folder">Its folder below <c>samples</c>.</param>
    /// <param name="program">The file's name.</param>
    public static string Of(string folder, string program)
    {
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(RepositoryFolder.Root, "samples", folder, "bin", output.Parent!.Name, output.Name, program);
    }
}
