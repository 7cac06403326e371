namespace Narad.Kafka.Cli;

/// <summary>
/// What the files of a folder may do to this process without <c>--trust-folder</c>: give settings and keys. They may not make it run code of theirs: no library
/// is loaded for them, and no variable is set that names a program, a library, or a file with a <c>credential_process</c>.
/// </summary>
internal static class FolderTrust
{
    // Each loads a library into this process, or runs a command.
    private static readonly string[] RunCode = ["plugin.library.paths", "ssl.engine.location", "ssl.engine.id", "ssl.providers", "sasl.kerberos.kinit.cmd"];

    private static readonly string[] Settings =
    [
        "DOTNET_ENVIRONMENT", "ASPNETCORE_ENVIRONMENT",
        "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_EC2_METADATA_DISABLED",
        "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET",
    ];

    // Others are the application's own affair, and the doctor would not read them.
    private static readonly string[] Read = [
        "AWS_", "AZURE_", "IDENTITY_", "MSI_", "DOTNET_", "SSL_", "OPENSSL_", "HTTP_", "HTTPS_", "ALL_", "NO_", "LD_", "DYLD_"];

    private static readonly string[] ReadByName = ["PATH", "HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"];

    /// <summary>Whether a variable of a file is a setting or a key, which does nothing but to say where and as whom to connect.</summary>
    public static bool IsSetting(string variable) =>
        variable.StartsWith("KAFKA_", StringComparison.OrdinalIgnoreCase) || variable.Contains("__", StringComparison.Ordinal)
            || Settings.Contains(variable, StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether something that the doctor uses would have read the variable.</summary>
    public static bool Matters(string variable) =>
        ReadByName.Contains(variable, StringComparer.OrdinalIgnoreCase)
            || Array.Exists(Read, prefix => variable.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    /// <summary>Why the settings are refused; null where they run no code.</summary>
    public static string? Refusal(KafkaOptions options) =>
        options.ClientProperties.Keys.FirstOrDefault(name => RunCode.Contains(name, StringComparer.OrdinalIgnoreCase)) is { } property
        ? $"Kafka:ClientProperties:{property} runs code in this process. Where you trust the content of this folder, add --trust-folder; else remove the "
            + "property."
        : null;
}
