package storage

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// resizer does the control plane's half of an expansion, which nothing in
// Kubernetes does for volumes without a CSI driver: it grows the device and the
// PersistentVolume, and marks the claim, whereupon the kubelet grows the file
// system and the claim's status (KEP-1790 names the states).
type resizer struct {
	client  kubernetes.Interface
	disks   *disks
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	synced  []cache.InformerSynced
	queue   workqueue.TypedRateLimitingInterface[cache.ObjectName]
}

func newResizer(client kubernetes.Interface, factory informers.SharedInformerFactory, disks *disks) (*resizer, error) {
	claims := factory.Core().V1().PersistentVolumeClaims()
	volumes := factory.Core().V1().PersistentVolumes()
	r := &resizer{
		client: client, disks: disks,
		claims: claims.Lister(), volumes: volumes.Lister(),
		synced: []cache.InformerSynced{claims.Informer().HasSynced, volumes.Informer().HasSynced},
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](100*time.Millisecond, 10*time.Second)),
	}
	enqueue := func(object any) {
		if name, err := cache.ObjectToName(object); err == nil {
			r.queue.Add(name)
		}
	}
	_, err := claims.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, object any) { enqueue(object) },
	})
	return r, err
}

func (r *resizer) run(ctx context.Context) {
	defer r.queue.ShutDown()
	if !cache.WaitForCacheSync(ctx.Done(), r.synced...) {
		return
	}
	go func() {
		<-ctx.Done()
		r.queue.ShutDown()
	}()
	for {
		name, stopped := r.queue.Get()
		if stopped {
			return
		}
		if err := r.resize(ctx, name); err != nil {
			klog.ErrorS(err, "Cannot expand", "claim", name)
			r.queue.AddRateLimited(name)
		} else {
			r.queue.Forget(name)
		}
		r.queue.Done(name)
	}
}

func (r *resizer) resize(ctx context.Context, name cache.ObjectName) error {
	claim, err := r.claims.PersistentVolumeClaims(name.Namespace).Get(name.Name)
	if err != nil || claim.Status.Phase != v1.ClaimBound {
		return nil // gone, or not yet bound: its next event brings it back
	}
	volume, err := r.volumes.Get(claim.Spec.VolumeName)
	if err != nil {
		return fmt.Errorf("volume %s: %w", claim.Spec.VolumeName, err)
	}
	if volume.Annotations["pv.kubernetes.io/provisioned-by"] != Provisioner {
		return nil
	}
	wanted := claim.Spec.Resources.Requests[v1.ResourceStorage]
	has := claim.Status.Capacity[v1.ResourceStorage]
	if wanted.Cmp(has) <= 0 {
		return nil
	}
	// Once handed over, the claim's status is the kubelet's; to write it again
	// would make the kubelet's own write fail.
	allocated := claim.Status.AllocatedResources[v1.ResourceStorage]
	if claim.Status.AllocatedResourceStatuses[v1.ResourceStorage] != "" && wanted.Cmp(allocated) == 0 {
		return nil
	}
	if err := r.disks.grow(volume.Name, wanted.Value()); err != nil {
		return err
	}
	if capacity := volume.Spec.Capacity[v1.ResourceStorage]; capacity.Cmp(wanted) < 0 {
		volume = volume.DeepCopy()
		volume.Spec.Capacity[v1.ResourceStorage] = wanted
		if _, err := r.client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return r.hand(ctx, claim)
}

// hand passes the claim on to the kubelet.
func (r *resizer) hand(ctx context.Context, claim *v1.PersistentVolumeClaim) error {
	claim = claim.DeepCopy()
	status := &claim.Status
	if status.AllocatedResources == nil {
		status.AllocatedResources = v1.ResourceList{}
	}
	status.AllocatedResources[v1.ResourceStorage] = claim.Spec.Resources.Requests[v1.ResourceStorage]
	status.AllocatedResourceStatuses = map[v1.ResourceName]v1.ClaimResourceStatus{
		v1.ResourceStorage: v1.PersistentVolumeClaimNodeResizePending,
	}
	status.Conditions = []v1.PersistentVolumeClaimCondition{{
		Type:               v1.PersistentVolumeClaimFileSystemResizePending,
		Status:             v1.ConditionTrue,
		LastTransitionTime: metav1.Now(),
		Message:            "waiting for a pod to mount the volume, so that its node can expand the file system",
	}}
	_, err := r.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{})
	return err
}
