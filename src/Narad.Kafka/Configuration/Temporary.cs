namespace Narad.Kafka;
internal static class TemporaryOptions
{
    extension(KafkaOptions options)
    {
        public bool IsDevelopment => string.Equals(options.Environment, "Development", StringComparison.Ordinal);
        public static KafkaOptions FromEnvironment() => new();
    }
}
internal static class KafkaOptionsValidator { public static IReadOnlyList<string> Check(KafkaOptions options) => []; }
internal static class KafkaEnvironment { public static void Apply(KafkaOptions options) => _ = options; }
internal static class KafkaConfiguration { public static void Bind(Microsoft.Extensions.Configuration.IConfiguration configuration, KafkaOptions options) => _ = options; }
internal sealed class KafkaOptionsValidation : Microsoft.Extensions.Options.IValidateOptions<KafkaOptions> { public Microsoft.Extensions.Options.ValidateOptionsResult Validate(string? name, KafkaOptions options) => Microsoft.Extensions.Options.ValidateOptionsResult.Success; }
