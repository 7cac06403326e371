namespace Narad.Kafka.Soak.Load;

/// <summary>The settings of every service of a run: the library's defaults, but for a session short enough that a run sees members time out.</summary>
internal static class MemberOptions
{
    public static readonly TimeSpan Session = TimeSpan.FromSeconds(6);

    public static KafkaOptions For(string brokers, int number, Action<KafkaOptions>? configure = null)
    {
        var options = new KafkaOptions
        {
            Mode = KafkaMode.Kafka,
            Brokers = brokers,
            ClientId = $"soak-{number}",
            SessionTimeout = Session,
            ConnectTimeout = TimeSpan.FromSeconds(60),
        };
        configure?.Invoke(options);
        return options;
    }
}
