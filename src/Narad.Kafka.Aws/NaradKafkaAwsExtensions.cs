using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka.Aws;

namespace Narad.Kafka;

/// <summary>Amazon MSK with IAM. Tokens are signed in this process with the keys of the AWS SDK, and renewed before they or the keys expire.</summary>
public static class NaradKafkaAwsExtensions
{
    private const string Mechanism = "aws_msk_iam";

    /// <summary>
    /// Amazon MSK with IAM: TLS, mechanism <c>aws_msk_iam</c>, tokens. <see cref="KafkaOptions.Brokers"/> has port 9098, from outside of AWS 9198. The identity
    /// needs the right <c>kafka-cluster:Connect</c> and those to the topics and groups it uses.
    /// </summary>
    /// <param name="options">The settings.</param>
    /// <param name="region">The cluster's region; default: see <see cref="MskIamOptions.Region"/>.</param>
    /// <param name="roleArn">A role to assume; default none.</param>
    /// <param name="configure">Profile, credentials, external id …</param>
    /// <exception cref="ArgumentException">The region is none.</exception>
    public static KafkaOptions UseMskIam(this KafkaOptions options, string? region = null, string? roleArn = null, Action<MskIamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var tokens = Tokens(options, new MskIamOptions { Region = region, RoleArn = roleArn }, configure);
        options.Sasl = new SaslOptions { Mechanism = Mechanism, TokenProvider = tokens };
        options.Provider = KafkaProvider.MskIam;
        return options;
    }

    /// <inheritdoc cref="UseMskIam(KafkaOptions, string?, string?, Action{MskIamOptions}?)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="region">The cluster's region; default: see <see cref="MskIamOptions.Region"/>.</param>
    /// <param name="roleArn">A role to assume; default none.</param>
    /// <param name="configure">Profile, credentials, external id …</param>
    public static NaradKafkaBuilder UseMskIam(
        this NaradKafkaBuilder builder, string? region = null, string? roleArn = null, Action<MskIamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Configure(options => options.UseMskIam(region, roleArn, configure));
    }

    /// <summary>
    /// Tokens for Amazon MSK where the settings ask for <c>aws_msk_iam</c>, and nothing where they ask for something else: for a program whose environment
    /// decides. Called after the settings were read. A token source that is there already stays.
    /// </summary>
    /// <param name="options">The settings, as they were read.</param>
    /// <param name="configure">Region, role, profile …</param>
    public static KafkaOptions AddAwsTokens(this KafkaOptions options, Action<MskIamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Sasl.TokenProvider is null
            && (options.Provider is KafkaProvider.MskIam || string.Equals(options.Sasl.Mechanism?.Trim(), Mechanism, StringComparison.OrdinalIgnoreCase)))
        {
            options.Sasl.TokenProvider = Tokens(options, new MskIamOptions(), configure);
        }

        return options;
    }

    /// <summary>
    /// Tokens for Amazon MSK where configuration, environment or code ask for <c>aws_msk_iam</c>, and nothing where they ask for something else: for a program
    /// whose environment decides. A token source that is there already stays.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Region, role, profile …</param>
    public static NaradKafkaBuilder AddAwsTokens(this NaradKafkaBuilder builder, Action<MskIamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<KafkaOptions>().PostConfigure(options => options.AddAwsTokens(configure));
        return builder;
    }

    private static OAuthBearerTokenProvider Tokens(KafkaOptions kafka, MskIamOptions options, Action<MskIamOptions>? configure)
    {
        configure?.Invoke(options);
        return new MskIamTokens(options, kafka).GetAsync;
    }
}
