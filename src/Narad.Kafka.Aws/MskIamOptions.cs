using Amazon.Runtime;

namespace Narad.Kafka;

/// <summary>As whom, and for which region, tokens for Amazon MSK are signed. Read when <c>UseMskIam</c> or <c>AddAwsTokens</c> returns.</summary>
public sealed class MskIamOptions
{
    /// <summary>
    /// The cluster's region, such as <c>eu-central-1</c>. Default: as the brokers' names say it, else <c>AWS_REGION</c>, else <c>AWS_DEFAULT_REGION</c>.
    /// </summary>
    public string? Region { get; set; }

    /// <summary>
    /// Whose keys sign. Default: <see cref="Profile"/>, else what the AWS SDK finds: environment, profile <c>default</c> (or <c>AWS_PROFILE</c>), web
    /// identity, container, instance.
    /// </summary>
    public AWSCredentials? Credentials { get; set; }

    /// <summary>A profile of the shared credentials or configuration file. Default none.</summary>
    public string? Profile { get; set; }

    /// <summary>A role to assume with these credentials before signing: <c>arn:aws:iam::123456789012:role/kafka</c>. Default none.</summary>
    public string? RoleArn { get; set; }

    /// <summary>The session's name, which AWS writes into its audit log. 2 to 64 characters; default <c>narad-kafka</c>.</summary>
    public string RoleSessionName { get; set; } = "narad-kafka";

    /// <summary>The external id that the role's owner asks for. Default none.</summary>
    public string? ExternalId { get; set; }

    /// <summary>The clock that signatures are dated by. Default the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Region and role, without keys.</summary>
    public override string ToString() => $"MSK IAM in {Region ?? "the brokers' region"} as {RoleArn ?? Profile ?? "the AWS SDK finds"}";
}
