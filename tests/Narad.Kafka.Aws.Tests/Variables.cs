using System.Runtime.CompilerServices;

namespace Narad.Kafka.Aws.Tests;

/// <summary>Variables of the process as a test wants them, and as they were afterwards. The AWS SDK asks nobody on the network for credentials.</summary>
internal sealed class Variables : IDisposable
{
    /// <summary>Where the SDK looks for profiles: it reads the variable and the file once a process.</summary>
    public static readonly string CredentialsFile = Path.Combine(Path.GetTempPath(), $"narad-test-credentials-{Guid.NewGuid():n}");

    private readonly Dictionary<string, string?> _before = new(StringComparer.Ordinal);

    public Variables(params (string Name, string? Value)[] values)
    {
        var own = Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(name => name.StartsWith("AWS_", StringComparison.Ordinal)).ToList();
        own.ForEach(name => Set(name, null));
        Set("AWS_EC2_METADATA_DISABLED", "true");
        Set("AWS_SHARED_CREDENTIALS_FILE", CredentialsFile);
        Set("AWS_CONFIG_FILE", Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("n")));
        foreach (var (name, value) in values)
        {
            Set(name, value);
        }
    }

    // No test of this project reads the machine's own.
    [ModuleInitializer]
    internal static void Begin()
    {
        File.WriteAllText(CredentialsFile, $"[kafka]\naws_access_key_id = {MskIamTokenTests.Key}\naws_secret_access_key = {MskIamTokenTests.Secret}\n");
        AppDomain.CurrentDomain.ProcessExit += (_, _) => File.Delete(CredentialsFile);
        Environment.SetEnvironmentVariable("AWS_SHARED_CREDENTIALS_FILE", CredentialsFile);
        Environment.SetEnvironmentVariable("AWS_EC2_METADATA_DISABLED", "true");
    }

    public void Dispose()
    {
        foreach (var (name, value) in _before)
        {
            Environment.SetEnvironmentVariable(name, value);
        }
    }

    private void Set(string name, string? value)
    {
        _before.TryAdd(name, Environment.GetEnvironmentVariable(name));
        Environment.SetEnvironmentVariable(name, value);
    }
}
