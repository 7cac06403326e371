using System.Globalization;
using System.Text;
using Narad.Kafka.Soak.Verification;

namespace Narad.Kafka.Soak.Load;

/// <summary>
/// What the handlers of a run do where messages fail, and with which settings. Its name says all of it, so that a member in another process does the same.
/// Immutable.
/// </summary>
/// <param name="kind">The first part of its name.</param>
/// <param name="fates">Which messages fail.</param>
internal abstract class Work(string kind, Fates fates)
{
    public string Name { get; } = string.Create(CultureInfo.InvariantCulture, $"{kind}/{fates.Seed}");

    public Fates Fates { get; } = fates;

    /// <summary>Whether failures go through a retry topic.</summary>
    public virtual bool HasRetryTopics => true;

    /// <summary>Whether handlers send something themselves.</summary>
    public virtual bool HasOutputs => false;

    /// <summary>Whether what is behind a failed message of its key waits for it.</summary>
    public virtual bool PreservesKeyOrder => false;

    /// <summary>The work of that name.</summary>
    public static Work Of(string name)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var seed = int.Parse(name.AsSpan(slash + 1), CultureInfo.InvariantCulture);
        return name[..slash] switch
        {
            FailingWork.Kind => new FailingWork(),
            KeyOrderWork.Kind => new KeyOrderWork(seed, KafkaGroupProtocol.Classic),
            KeyOrderWork.Kind + "-consumer" => new KeyOrderWork(seed, KafkaGroupProtocol.Consumer),
            OnceWork.Kind => new OnceWork(seed, isStatic: false),
            OnceWork.Kind + "-static" => new OnceWork(seed, isStatic: true),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, "There is no such work."),
        };
    }

    /// <summary>Where handlers send to.</summary>
    public static string Output(string topic) => $"{topic}-out";

    /// <summary>What a service needs for it.</summary>
    public virtual void Configure(KafkaOptions options) => options.TopicCreation = TopicCreation.IfMissing;

    /// <summary>Makes it that instance, also after a restart.</summary>
    public virtual void Be(string identity, KafkaOptions options) => options.GroupInstanceId = identity;

    /// <summary>The bytes of a message: JSON, or for poison what is none.</summary>
    public byte[] Bytes(string run, int key, int sequence)
    {
        var text = Numbered.Text(run, key, sequence);
        return Fates.Of(key, sequence).Kind is FateKind.Poison ? [.. Encoding.UTF8.GetBytes(text), 0xFF, 0x00, 0xC0] : Encoding.UTF8.GetBytes($$"""{"text":"{{text}}"}""");
    }

    /// <summary>The group that reads the retry topics.</summary>
    public virtual string RetryGroup(string group) => $"{group}-retry";

    public abstract Task<ISubscription> SubscribeAsync(KafkaService service, string topic, string group, int member, Action<Invocation> invoked);
}
