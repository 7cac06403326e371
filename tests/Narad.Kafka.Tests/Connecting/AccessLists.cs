using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Narad.Kafka.Tests.Connecting;

/// <summary>
/// What the user <c>denied</c> of the test cluster may do with topics and groups of the test's own. A resource with an entry is closed to everybody who has
/// none, so each gets one for a user that does not exist. Taken away again at the end.
/// </summary>
internal sealed class AccessLists : IAsyncDisposable
{
    private readonly IAdminClient _admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = RealKafka.Brokers }).SetLogHandler((_, _) => { })
        .Build();
    private readonly List<AclBinding> _entries = [];

    public const string User = "denied";

    public static KafkaOptions Options => WrongSetUps.Login(Listeners.Sasl, "plain", User, "denied-secret");

    public Task CloseAsync(ResourceType type, string name) => AddAsync(type, name, "User:nobody-at-all", AclOperation.All);

    public async Task GrantAsync(ResourceType type, string name, params AclOperation[] rights)
    {
        foreach (var right in rights)
        {
            await AddAsync(type, name, $"User:{User}", right);
        }
    }

    /// <summary>Takes rights away that were granted, and leaves the resource closed.</summary>
    public async Task RevokeAsync(ResourceType type, string name)
    {
        var revoked = _entries.FindAll(entry => entry.Pattern.Type == type && string.Equals(entry.Pattern.Name, name, StringComparison.Ordinal));
        await CloseAsync(type, name);
        await _admin.DeleteAclsAsync(revoked.Select(entry => entry.ToFilter()));
        revoked.ForEach(entry => _entries.Remove(entry));
    }

    public async ValueTask DisposeAsync()
    {
        if (_entries.Count > 0)
        {
            await _admin.DeleteAclsAsync(_entries.Select(entry => entry.ToFilter()));
        }

        _admin.Dispose();
    }

    private async Task AddAsync(ResourceType type, string name, string principal, AclOperation right)
    {
        var entry = new AclBinding
        {
            Pattern = new ResourcePattern { Type = type, Name = name, ResourcePatternType = ResourcePatternType.Literal },
            Entry = new AccessControlEntry { Principal = principal, Host = "*", Operation = right, PermissionType = AclPermissionType.Allow },
        };
        await _admin.CreateAclsAsync([entry]);
        _entries.Add(entry);

        // The controller answers before the brokers check by it.
        await Waiting.Until(
            () => _admin.DescribeAclsAsync(entry.ToFilter()).GetAwaiter().GetResult().AclBindings.Count > 0,
            $"the brokers know what {principal} may do with {name}");
    }
}
