namespace Narad.Kafka;
internal static class TemporaryOptions
{
    extension(KafkaOptions options)
    {
        public bool IsDevelopment => string.Equals(Configuration.KafkaEnvironment.NameOf(options), "Development", StringComparison.Ordinal);
    }
}
internal static class KafkaOptionsValidator { public static IReadOnlyList<string> Check(KafkaOptions options) => []; }
internal sealed class KafkaOptionsValidation : Microsoft.Extensions.Options.IValidateOptions<KafkaOptions> { public Microsoft.Extensions.Options.ValidateOptionsResult Validate(string? name, KafkaOptions options) => Microsoft.Extensions.Options.ValidateOptionsResult.Success; }
