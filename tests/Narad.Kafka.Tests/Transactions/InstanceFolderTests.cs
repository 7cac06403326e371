using System.Diagnostics;
using System.Runtime.Versioning;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Tests.Transactions;

/// <summary>
/// The locks of ExactlyOnce are in a folder of the user's own: another user's folder or link there is not used, and the loss of the lock is said.
/// </summary>
[UnsupportedOSPlatform("windows")]
public sealed class InstanceFolderTests : IDisposable
{
    private readonly DirectoryInfo _temporary = Directory.CreateTempSubdirectory("narad-locks-");
    private readonly LogEvents _log = new();

    private string Locks => Path.Combine(_temporary.FullName, $"narad-kafka-{InstanceFolder.User}");

    public void Dispose() => _temporary.Delete(recursive: true);

    [SkippableFact]
    public void The_folder_is_the_users_own_and_nobody_else_may_open_it()
    {
        SkipWindows();
        InstanceFolder.Ensure(_temporary.FullName).Should().Be(Locks);
        Directory.CreateDirectory(Locks, (UnixFileMode)0b111_111_111);
        File.SetUnixFileMode(Locks, (UnixFileMode)0b111_111_111);
        InstanceFolder.Ensure(_temporary.FullName);

        File.GetUnixFileMode(Locks).Should().Be(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var id = Take();
        id.Name.Should().Be($"orders-g-{Environment.MachineName}-{InstanceFolder.User}-0");
        _log.All.Should().BeEmpty();
    }

    [SkippableFact]
    public void A_link_in_the_folders_place_is_not_followed_and_the_lost_lock_is_warned_of()
    {
        SkipWindows();
        var elsewhere = Directory.CreateDirectory(Path.Combine(_temporary.FullName, "root-only"));
        Directory.CreateSymbolicLink(Locks, elsewhere.FullName);

        ExpectNoLock("is a link");
        elsewhere.EnumerateFileSystemInfos().Should().BeEmpty("nothing was created behind the link");
    }

    [SkippableFact]
    public void A_dangling_link_is_not_followed_either()
    {
        SkipWindows();
        Directory.CreateSymbolicLink(Locks, Path.Combine(_temporary.FullName, "not-there"));

        ExpectNoLock(null);
        Directory.Exists(Path.Combine(_temporary.FullName, "not-there")).Should().BeFalse();
    }

    [SkippableFact]
    public void A_lock_that_is_a_link_is_not_followed_and_another_number_is_taken()
    {
        SkipWindows();
        using (Take())
        {
            // creates the file of number 0
        }

        var file = Directory.GetFiles(Locks).Single();
        File.Delete(file);
        var target = Path.Combine(_temporary.FullName, "created-by-the-victim");
        File.CreateSymbolicLink(file, target);
        using var id = Take();

        id.Name.Should().EndWith("-1");
        File.Exists(target).Should().BeFalse();
    }

    [SkippableFact]
    public void Another_users_folder_is_not_used_and_the_lost_lock_is_warned_of()
    {
        SkipWindows();
        Skip.IfNot(OperatingSystem.IsLinux() && InstanceFolder.User == "0", "Only root can give a folder to another user.");
        Directory.CreateDirectory(Locks);
        Process.Start("chown", ["65534", Locks]).WaitForExit(30_000).Should().BeTrue();

        ExpectNoLock("belongs to user 65534");
        Directory.GetFiles(Locks).Should().BeEmpty();
    }

    [SkippableFact]
    public void A_folder_that_cannot_be_created_is_warned_of()
    {
        SkipWindows();
        File.WriteAllText(Locks, "");

        ExpectNoLock(null);
    }

    private static void SkipWindows() => Skip.If(OperatingSystem.IsWindows(), "Each user's temporary folder is that user's own on Windows.");

    private void ExpectNoLock(string? reason)
    {
        using var id = Take();
        id.Name.Should().Be($"orders-g-{Environment.MachineName}-{InstanceFolder.User}", "no number could be held");
        var warning = _log.The(8011);
        warning.Message.Should().Contain("InstanceName");
        warning.Error.Should().NotBeNull();
        if (reason is not null)
        {
            warning.Error!.Message.Should().Contain(reason);
        }
    }

    private TransactionalId Take() => TransactionalId.Take(
        ExactlyOnceSettings.From(new ExactlyOnceOptions(), new KafkaOptions { ClientId = "orders" }), "g", _log.CreateLogger("test"), _temporary.FullName);
}
